"""What is wrong with the data: measured fault by fault, judged by named rules."""
