# What bench/streams and bench/tls have in common, to be sourced in the repository's directory: the options, a server
# on processor 0 with the load on processor 1, the table. The caller has two functions: plan sets `load`, `serve`
# and `units` for a mode, round measures all servers once; it may set `load_options`.
rounds=5 only='' build=${BUILD:-build}
while getopts n:r: option; do
  case $option in
    n) rounds=$OPTARG ;;
    r) only=,$OPTARG, ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
out=$build/bench load_options=''
mkdir -p "$out"
cc -O2 -o "$out/stream_load" bench/peers/stream_load.c -lssl -lcrypto
ulimit -n "$(ulimit -H -n)"

# For a subshell, which becomes the program.
pin() {
  if [ "$(nproc)" -gt 1 ]; then exec taskset -c "$@"; fi
  shift
  exec "$@"
}

# Whether that runner is wanted.
wanted() {
  case $only in '' | *,"$1",*) ;; *) return 1 ;; esac
}

# hold OUTPUT PROGRAM...: runs the server $server until `release`, by its standard input.
hold() {
  output=$1
  shift
  rm -f "$out/stream.in"
  mkfifo "$out/stream.in"
  : >"$output"
  pin 0 "$@" <"$out/stream.in" >"$output" 2>/dev/null &
  server=$!
  exec 9>"$out/stream.in"
}

release() {
  exec 9>&-
  wait "$server" || true
}

# put_load NAME PORT OPTIONS...: prints "NAME numbers" for the server.
put_load() {
  name=$1 at=$2
  shift 2
  # shellcheck disable=SC2086
  echo "$name" "$(pin 1 "$out/stream_load" $load_options "$@" "$mode" "$at" "$server" $load)"
}

# measure NAME PROGRAM...: the server prints its port.
measure() {
  wanted "$1" || return 0
  runner=$1
  shift
  hold "$out/stream.port" "$@"
  for _ in $(seq 100); do
    [ -s "$out/stream.port" ] && break
    sleep 0.05
  done
  [ -s "$out/stream.port" ] && put_load "$runner" "$(cat "$out/stream.port")"
  release
}

# table UNITS: medians of what stands in lines "name numbers", and of the ratios to the first name in each round.
table() {
  awk -v mode="$mode" -v units="$1" '
    function median(list, n, i, j, t) {
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
      return list[int((n + 1) / 2)]
    }
    BEGIN { columns = split(units, unit, ",") }
    NF < 2 { next }
    {
      if (!($1 in count)) order[++names] = $1
      i = ++count[$1]
      for (c = 1; c <= columns; c++) {
        if ($1 == order[1]) floor[c] = $(c + 1)
        value[$1, c, i] = $(c + 1)
        ratio[$1, c, i] = floor[c] > 0 ? $(c + 1) / floor[c] : 0
      }
    }
    function of(table, name, c, list, i) {
      for (i = 1; i <= count[name]; i++) list[i] = table[name, c, i]
      return median(list, count[name])
    }
    END {
      for (k = 1; k <= names; k++) {
        printf "%-8s %-15s", mode, order[k]
        for (c = 1; c <= columns; c++)
          printf "  %9.*f %s (%.2f)", (unit[c] ~ /cpu/ ? 2 : 0), of(value, order[k], c), unit[c], of(ratio, order[k], c)
        print ""
      }
    }'
}

# tables MODE...: each mode with its rounds.
tables() {
  for mode; do
    plan
    for _ in $(seq "$rounds"); do round; done | table "$units"
  done
}
