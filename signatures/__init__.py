"""Data only: Sigma rules, the catalogue of causes, and the tables behind the derived frames."""
