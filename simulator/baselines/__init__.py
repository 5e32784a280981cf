"""How others scale, as pure rules: what they published or what their source says, each with where it stands."""
