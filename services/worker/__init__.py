"""The worker: claims jobs, prepares inputs in the sandbox, predicts, decides, commits."""
