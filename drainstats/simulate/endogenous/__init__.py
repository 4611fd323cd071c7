"""Markets whose drains come by themselves: accounts on margin, makers with limits, minute by minute."""
