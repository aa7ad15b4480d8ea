#!/usr/bin/env bash
# Breaks the rules of the class one at a time, in a copy, and expects the tests to notice. `--check` only looks whether each rule is
# still where it was; a NAME runs the mutations whose names contain it.
source "$(dirname "$0")/lib.sh"
need_rust

copy=target/mutations
pattern=${1:-}
check_only=
if [ "$pattern" = --check ]; then
  check_only=1 pattern=${2:-} copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
fi

mkdir -p "$copy/core"
rm -rf "$copy/core/session" "$copy/as-it-is"
cp -r core/session "$copy/core/"
cp -r core/session "$copy/as-it-is"
cp Cargo.lock "$copy/"
# The same workspace with one member, so that nothing else is built.
sed -e 's/^members = .*/members = ["core\/session"]/' -e '/^lyceum-\(sfu\|node\) = /d' Cargo.toml >"$copy/Cargo.toml"

# mutate FILE OLD NEW: replaces what is there exactly once, however its lines are broken.
mutate() {
  FILE=$1 OLD=$2 NEW=$3 perl -0777 -e '
    open my $in, "<", $ENV{FILE} or die; my $text = <$in>; close $in;
    my $old = join "\\s*", map { quotemeta } split /\s+/, $ENV{OLD};
    my @found = $text =~ /$old/g;
    die "found " . scalar(@found) . " times\n" unless @found == 1;
    $text =~ s/$old/$ENV{NEW}/;
    open my $out, ">", $ENV{FILE} or die; print $out $text;' 2>&1
}

run_tests() {
  (cd "$copy" && CARGO_PROFILE_DEV_DEBUG=none CARGO_PROFILE_TEST_DEBUG=none \
    cargo test --offline --quiet --package lyceum-session --test it "$@")
}

# Most mutations are noticed by a story, or by the first of the generated schedules; the others take them all.
notice() { ! PROPTEST_CASES=8 run_tests || ! run_tests; }

killed=0 survived=() broken=()
try() {
  [ -n "$name" ] || return 0
  [[ "$name" == *"$pattern"* ]] || return 0
  local source="$copy/core/session/src/$file" log="$copy/last.log" said
  if ! said=$(mutate "$source" "$old" "$new"); then
    broken+=("$name ($file): $said")
  elif [ -z "$check_only" ]; then
    if ! run_tests --no-run >"$log" 2>&1; then
      broken+=("$name: does not compile; see $log"); cp "$log" "$copy/broken.log"
    elif ! notice >"$log" 2>&1; then
      survived+=("$name"); echo "SURVIVED  $name"
    else
      killed=$((killed + 1))
      echo "killed    $name  ($(grep -c '^test .*FAILED\|^    [a-z_]*::' "$log") lines of failures, e.g. $(grep -m 1 -o '^    [a-z_]*::[a-z_0-9]*' "$log" | tr -d ' '))"
    fi
  fi
  cp "$copy/as-it-is/src/$file" "$source"
}

if [ -z "$check_only" ]; then
  say "The tests as they are"
  run_tests >"$copy/last.log" 2>&1 || { tail -n 40 "$copy/last.log" >&2; die "The tests fail without any mutation."; }
fi

say "Mutations"
name='' file='' old='' new=''
while IFS= read -r line || [ -n "$line" ]; do
  case "$line" in
    '== '*) try; name=${line#== } file='' old='' new='' ;;
    'file: '*) file=${line#file: } ;;
    '- '*) old+="${line#- } " ;;
    '+'*) new+="${line#+} " ;;
  esac
done <"$copy/as-it-is/tests/mutations/rules.txt"
try

for line in "${broken[@]}"; do echo "BROKEN    $line"; done
[ ${#broken[@]} -eq 0 ] || die "${#broken[@]} mutations do not fit the source any more."
[ -z "$check_only" ] || { say "Every mutation has its place"; exit 0; }
[ ${#survived[@]} -eq 0 ] || die "${#survived[@]} of $((killed + ${#survived[@]})) mutations survived: the tests do not hold these rules."
say "All $killed mutations were noticed"
