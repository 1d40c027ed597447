"""Networks without a head, shared by the tasks that look at one image."""
