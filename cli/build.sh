# Has Maven build the program of a clone where it is missing or older than its sources. The launcher, gammanet, reads
# this file with the command's words as arguments, and with functions and the project's folder, root, of its own.
# shellcheck shell=sh disable=SC2154

lib=$root/cli/target
stamp=$lib/launcher.stamp

# Whether there is nothing to run, or a source is newer than what there is.
stale() {
  [ -f "$stamp" ] || return 0
  [ -d "$root/gammanet/src" ] || return 1
  [ -n "$(find "$root/pom.xml" "$root/config" "$root/native" "$root"/*/pom.xml "$root"/*/src/main \
    "$root"/*/src/generated -path '*/target' -prune -o -path '*/build' -prune \
    -o -type f -newer "$stamp" -print 2>/dev/null | head -n 1)" ]
}

# One build at a time: the lock is the kernel's, so that none outlives a build that was killed.
lock() {
  if command -v flock >/dev/null; then
    flock "$@" 9
  elif command -v perl >/dev/null; then
    perl -e 'open(my $f, "<&=", 9); exit !flock($f, @ARGV ? 6 : 2)' "$@"
  fi
}

build() {
  [ -f "$root/pom.xml" ] || fail "there is nothing to run in $lib and no pom.xml in $root"
  [ -w "$root" ] || fail "cannot write in $root, so nothing can be built there"
  find_jdk javac
  exec 9<"$root/pom.xml"
  lock -n || { say "waiting for another build to finish"; lock; }
  if stale; then
    maven=$(command -v mvn) || maven=$root/mvnw
    mkdir -p "$lib" && log=$lib/build.log || exit 1
    say "building (on the first run and after changes; the first takes minutes and downloads 200 MB) ..."
    if ! (cd "$root" && JAVA_HOME=$jdk exec "$maven" -B -ntp -Dstyle.color=never -DskipTests -Dformat.skip \
      -pl cli -am package) >"$log" 2>&1 </dev/null; then
      grep '^\[ERROR\]' "$log" | head -n 40 >&2
      fail "the build failed; all of its output is in $log"
    fi
    grep -o 'Native kernels are not built.*' "$log" | while IFS= read -r line; do say "$line"; done
  fi
  exec 9<&-
}

case ${1:-} in
  -V | --version)
    if [ ! -f "$stamp" ]; then
      sed -n 's/.*<version>\(.*\)<\/version>.*/gammanet \1 (not built yet)/p' "$root/pom.xml" | head -n 1
      exit
    fi
    ;;
  *) if stale; then build; fi ;;
esac
