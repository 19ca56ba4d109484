"""A latent as a picture and as a panel in other pages."""
