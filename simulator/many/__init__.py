"""PURE: very many small worlds with faults, each drawn from its seed and watched by a judge."""
