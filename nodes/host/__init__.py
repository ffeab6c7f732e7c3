"""Everything that the nodes need from ComfyUI.

No module outside this package imports ``comfy``, ``folder_paths`` or ``server``, so a change in a
new version of ComfyUI has to be followed here alone.
"""
