"""Writes TensorBoard event files as Keras does: a folder for training, one for validation. Ends once
a file is there."""
import os
import sys
import time

from tensorboard.summary import Writer

train = Writer("logs/train")
validation = Writer("logs/validation")
for epoch in range(1, int(sys.argv[1]) + 1):
    train.add_scalar("epoch_loss", 1.0 / epoch, epoch)
    validation.add_scalar("epoch_loss", 2.0 / epoch, epoch)
    train.flush()
    validation.flush()
    time.sleep(float(sys.argv[2]))
while not os.path.exists(sys.argv[3]):
    time.sleep(0.05)
