#!/bin/sh
# Leaves children behind in every way that a careless program can.
setsid sh -c 'sleep 4321 & sleep 4322' &
(setsid sleep 4323 &)
sleep 4324
