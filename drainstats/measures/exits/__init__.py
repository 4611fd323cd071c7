"""What leaving a position costs: books, pools, several venues, over time, and as a risk measure."""
