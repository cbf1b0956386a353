"""Policies as people write them: YAML or JSON text, and the policy that ships with FlexiPrice."""
