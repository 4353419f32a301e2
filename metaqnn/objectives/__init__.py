"""What can be wanted of networks beside their score."""
