"""Settings of all tests."""

import torch

torch.set_num_threads(1)  # the networks here are tiny: more threads cost more than they give
