#!/bin/sh
# A credential helper that does what the file `behaviour` beside it says. Tests write that file, and link to
# this one: a program that was just written may still be open for writing in a process that another test starts,
# and then the system does not run it.
here="${0%/*}"
. "$here/behaviour"
