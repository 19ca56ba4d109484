"""What a long job needs: progress, interrupts, versions, plain errors."""
