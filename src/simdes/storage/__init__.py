"""Off-chain content store by CID (paper: the off-chain storage, IPFS).

``open_store`` chooses between a folder (``file:``) and a Kubo node (``ipfs:``); both give the same
CIDs for the same bytes, and both hash every block again when it is read.
"""
