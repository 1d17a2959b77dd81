"""Train a classifier that tells live faces from pictures of faces, for use by the server.

    python -m liveness.train DATASET --net mobilenetv2

DATASET holds cut-outs of faces, one folder a split and class: `{train,val,test}/{live,spoof}`,
jpg, png or webp. Folders inside `spoof` are species of attack (`spoof/print`, `spoof/replay`),
told apart in the report. All pictures are to be cut out alike, and `--crop` says how.

The run's folder gets the ONNX model and its card, both again at half the size, the figures on the
test split with pictures, and a checkpoint: a run that was interrupted goes on from there when it is
started again.

Needs the extra `train`: `pip install "liveness[train]"`. The server itself never needs it.
"""
