"""The report: a run as one page that opens anywhere, built from what every task offers."""
