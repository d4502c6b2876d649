"""What ``scripts/train-tagger`` is made of: corpora, invented variation, training."""
