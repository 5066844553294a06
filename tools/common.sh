# Sourced by tools/demo and tools/test: packages and the build. Expects `root`, the repository.

say() {
    echo "$program: $*" >&2
}

# The packages of these purposes (tools/packages) that are not here.
missing_packages() {
    while read -r purpose package command; do
        case " $* " in *" $purpose "*) ;; *) continue ;; esac
        if [ -n "$command" ] && command -v "$command" >/dev/null 2>&1; then
            continue
        fi
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' ||
            printf '%s ' "$package"
    done <"$root/tools/packages"
}

# Installs what is missing; without the right to, names it.
need_packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "missing packages; as root: apt-get install --no-install-recommends $missing"
        return 1
    fi
    say "installing $missing"
    log=$(mktemp "${TMPDIR:-/tmp}/pts-apt.XXXXXX")
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update >"$log" 2>&1 &&
        apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    tail -n 20 "$log" >&2
    say "apt-get failed; its output is in $log"
    return 1
}

# configure FOLDER OPTION...: a build folder with these options, new or as it is.
configure() {
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then
        meson configure "$folder" "$@"
    else
        meson setup "$folder" "$root" "$@"
    fi
}
