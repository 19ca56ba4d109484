"""The contract between worker and server: tables, arrays in rows, sessions. Nothing else."""
