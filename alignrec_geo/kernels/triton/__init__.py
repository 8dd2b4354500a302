"""Triton kernels for NVIDIA GPUs: the same functions as the ``torch`` backends, on CUDA tensors.

With ``TRITON_INTERPRET=1`` set before Triton is imported they run on CPU tensors too, one NumPy call per instruction:
slow, but every line is executed, which is how they are tested where there is no GPU.
"""
