"""Models and SAEs: from files to decoder directions in the residual stream and an unembedding."""
