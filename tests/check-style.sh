#!/bin/sh
# What a reader should not have to look for. Prints TAP.
set -eu
cd "$1"

number=0
report () # description, findings
{
  number=$((number + 1))
  if [ -n "$2" ]; then
    echo "not ok $number - $1"
    echo "$2" | sed 's/^/# /'
  else
    echo "ok $number - $1"
  fi
}

sources=$(find quant analysis widgets app tests -name '*.[ch]' | LC_ALL=C sort)
translated=$(echo "$sources" | grep -v '^tests/' | xargs grep -lE '(^|[^A-Za-z_])(N?_|ngettext|C_) ?\(' || true)
templates=$(find app widgets data -name '*.ui' -o -name '*.desktop.in' -o -name '*.metainfo.xml.in' \
              -o -name '*.gschema.xml' | xargs -r grep -lE 'translatable="yes"|\.desktop|<component|<schema' || true)

echo 1..4
report 'no line is longer than 100 columns' \
  "$(echo "$sources" | xargs awk '{ line = $0; gsub (/[\200-\277]/, "", line) } length (line) > 100 { print FILENAME ":" FNR }')"
report 'no source is longer than 800 lines' \
  "$(echo "$sources" | xargs wc -l | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 }')"
report 'no tabs and no blanks at the end of a line' \
  "$(echo "$sources" | xargs grep -nE "$(printf '\t')|[[:blank:]]+\$" || true)"
report 'every translatable file is in po/POTFILES.in' \
  "$(for file in $translated $templates; do grep -qxF "$file" po/POTFILES.in || echo "$file"; done)"
