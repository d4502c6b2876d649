"""HL7 v2 in its vertical-bar encoding: messages, files of them, MLLP blocks, acknowledgements. All pure."""

from careplane.codecs.hl7v2.acknowledging import Acknowledgement, Outcome, answers, outcome_of, read_answer, told
from careplane.codecs.hl7v2.batch import Piece, split_file, wire
from careplane.codecs.hl7v2.encoding import Encoding, escape, unescape
from careplane.codecs.hl7v2.framing import Block, Blocks, block
from careplane.codecs.hl7v2.message import Message, Note, Part, Segment, as_json
from careplane.codecs.hl7v2.parsing import header_of, parse

__all__ = [
    "Acknowledgement",
    "Block",
    "Blocks",
    "Encoding",
    "Message",
    "Note",
    "Outcome",
    "Part",
    "Piece",
    "Segment",
    "answers",
    "as_json",
    "block",
    "escape",
    "header_of",
    "outcome_of",
    "parse",
    "read_answer",
    "split_file",
    "told",
    "unescape",
    "wire",
]
