# What Tare is built from and tested with on Debian 12; sourced by tests/run and data/run.

build_packages=(
  gcc libc6-dev meson ninja-build pkg-config gettext
  libgtk-4-dev libadwaita-1-dev libjson-glib-dev libopenblas-openmp-dev
  desktop-file-utils appstream libglib2.0-bin adwaita-icon-theme fonts-dejavu-core
)
test_packages=(xvfb xauth)

# Installs those of its arguments that are missing, as root or through sudo.
install_packages ()
{
  local missing=() package sudo=
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' \
      || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  echo "Installing: ${missing[*]}" >&2
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq >&2 \
    && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
         "${missing[@]}" >&2
}
