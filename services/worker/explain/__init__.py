"""Why a version scored an input as it did: pieces are taken away, and the score is looked at. No gradients."""
