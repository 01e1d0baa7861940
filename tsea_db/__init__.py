"""A database of what every sparse-autoencoder feature of a language model does to the model's output."""
