"""The twelve networks of Table 2, their variants and C3D: as a table, built, counted, and with weights from elsewhere.

`table` names them; `build.build_net` builds one; `complexity` counts parameters and multiply-adds with fvcore;
`precision` checks bf16 before it is trusted; `weights` reads torchvision's and VMZ's files. Imports no other room.
"""
