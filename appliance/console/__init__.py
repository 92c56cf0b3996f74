"""What the stick's own screen shows: tty1 as a picture, the serial line as plain lines. It only reads two small files."""
