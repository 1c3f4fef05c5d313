import torch

# Toy networks gain nothing from a second thread, and two test runs on one machine lose much.
torch.set_num_threads(1)
