"""Recurrent layers as `torch.nn.Module`, and `replace`, which puts them into a model that exists already."""

from longshort.nn._attention import Attention
from longshort.nn._cells import GRUCell, LSTMCell, RNNCell
from longshort.nn._cross_entropy import linear_cross_entropy
from longshort.nn._dropout import locked_dropout
from longshort.nn._gru import GRU
from longshort.nn._lstm import LSTM
from longshort.nn._onnx import export_onnx, onnx_table
from longshort.nn._replace import replace
from longshort.nn._rnn import RNN
from longshort.nn._stream import Stream
from longshort.ops import GRUTrace, LSTMTrace, RNNTrace

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Attention",
    "GRUCell",
    "GRUTrace",
    "LSTMCell",
    "LSTMTrace",
    "RNNCell",
    "RNNTrace",
    "Stream",
    "export_onnx",
    "linear_cross_entropy",
    "locked_dropout",
    "onnx_table",
    "replace",
]
