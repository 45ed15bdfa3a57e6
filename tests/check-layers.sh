#!/bin/sh
# Dependencies run one way: quant <- analysis <- app -> widgets. Prints TAP.
set -eu
cd "$1"

number=0
refuse () # folder, what it must not include, why
{
  number=$((number + 1))
  if found=$(grep -rnE --include='*.[ch]' "^#include [<\"]($2)" "$1"); then
    echo "not ok $number - $1: $3"
    echo "$found" | sed 's/^/# /'
  else
    echo "ok $number - $1: $3"
  fi
}

echo 1..6
refuse quant 'analysis/|app/|widgets/' 'includes nothing above it'
refuse analysis 'app/|widgets/' 'includes nothing above it'
refuse widgets 'app/|analysis/|quant/' 'knows neither the engine nor the application'
refuse quant 'gtk/|gdk/|adwaita|gsk/|pango' 'does not know GTK'
refuse analysis 'gtk/|gdk/|adwaita|gsk/|pango' 'does not know GTK'
refuse app/cli 'gtk/|gdk/|adwaita|gsk/|pango|widgets/|app/tare-' 'does not know GTK'
