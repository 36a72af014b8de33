"""What tells people and their monitoring how the sync is: health, figures and notices."""
