"""What ends hopeless trainings early."""
