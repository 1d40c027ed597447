"""The data of a job: where samples come from, what is wrong with them, and how they are split."""
