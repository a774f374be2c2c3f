# shellcheck shell=bash
# What integration/test, try and bench share. Sourced; the caller has set -euo pipefail and stands in the project's root.

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

heading() {
  current=$1
  printf '\n%s== %s%s\n' "$bold" "$current" "$plain"
}

# Says what failed, last, where a reader looks first.
report_failure() {
  local status=$?
  if [[ $status -ne 0 ]]; then
    printf '\n%sFAILED: %s%s\n' "$bold" "${current:-start}" "$plain" >&2
  fi
  exit "$status"
}

# shellcheck disable=SC2034 # by those who source this
target_directory=${CARGO_TARGET_DIR:-target}

# The engine needs root; Rust's caches and the target directory stay the user's.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo --preserve-env=PATH,TERM,NO_COLOR,RUST_BACKTRACE,CI,TMPDIR env PATH="$PATH" "$@"
  fi
}
