#!/bin/sh
# A credential helper that prints what the file `answer` beside it holds. Tests write that file, and link to this
# one: a program that was just written may still be open for writing in a process that another test starts, and
# then the system does not run it.
here="${0%/*}"
cat >"$here/asked"
exec cat "$here/answer"
