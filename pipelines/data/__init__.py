"""What is known of the data before a job starts: its splits, and what is wrong with it."""
