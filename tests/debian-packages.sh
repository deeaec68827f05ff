#!/bin/sh
# What the tests need from Debian's packages: installed when we may (root, or sudo without password),
# named in one line otherwise. Never fails: what lacks is then a named skip (tests/allowed_skips.txt).
# Nothing is left running: packages installed here may not start a service, nor make a cluster.
set -u

PATH="$PATH:/usr/sbin:/sbin"
missing=""
command -v sshd >/dev/null 2>&1 && command -v ssh >/dev/null 2>&1 || missing="$missing openssh-server openssh-client"
command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && command -v pg_ctlcluster >/dev/null 2>&1 ||
    missing="$missing postgresql"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
command -v setpriv >/dev/null 2>&1 || missing="$missing util-linux"
command -v restic >/dev/null 2>&1 || missing="$missing restic"
command -v setfacl >/dev/null 2>&1 || missing="$missing acl"
command -v nmap >/dev/null 2>&1 || missing="$missing nmap"
command -v snmpd >/dev/null 2>&1 || missing="$missing snmpd"
command -v ping >/dev/null 2>&1 || missing="$missing iputils-ping"
command -v ethtool >/dev/null 2>&1 || missing="$missing ethtool"
command -v mariadbd >/dev/null 2>&1 || missing="$missing mariadb-server"
[ -x /lib/nut/upsd ] && command -v upsc >/dev/null 2>&1 || missing="$missing nut-server nut-client"
[ -x /lib/systemd/systemd ] || missing="$missing systemd" # started in namespaces of the tests' own
# the laboratory (python -m lab) beyond that: its file servers, and the loss between its sites
command -v smbd >/dev/null 2>&1 || missing="$missing samba"
command -v nft >/dev/null 2>&1 || missing="$missing nftables"
[ -n "$missing" ] || exit 0

name_them() {
    echo "paquets Debian absents :$missing ; les essais qui en dépendent seront sautés (apt install$missing)" >&2
    exit 0
}

command -v apt-get >/dev/null 2>&1 || name_them
if [ "$(id -u)" -eq 0 ]; then
    may=""
elif sudo -n true 2>/dev/null; then
    may="sudo -n"
else
    name_them
fi

# A policy that forbids every start while we install, unless the machine already has its own; and no
# first cluster, unless the administrator has already said what they want. Both go away at the end.
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/releve-tests.conf
made=""
clean() {
    for file in $made; do $may rm -f "$file"; done
}
trap clean EXIT
trap 'exit 0' INT TERM
if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' | $may tee "$policy" >/dev/null && $may chmod 755 "$policy"
fi
case "$missing" in
*postgresql*)
    made="$made $cluster"
    $may mkdir -p "${cluster%/*}" && echo 'create_main_cluster = false' | $may tee "$cluster" >/dev/null
    ;;
esac

echo "installation des paquets Debian absents :$missing" >&2
install() {
    # shellcheck disable=SC2086 # a list of packages, split on purpose
    $may env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null 2>&1
}
install || { $may apt-get update -q >/dev/null 2>&1 && install; } || name_them
