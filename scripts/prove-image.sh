#!/usr/bin/env bash
# Proves the Dockerfile on a machine that reaches no container registry: makes
# stand-ins for its two base images under their real names, builds the image
# from the Dockerfile as it is, runs it, and asks it whether it is alive, ready
# and serving. Needs root, and the Debian packages debootstrap, buildah, podman
# and runc (apt-get install --no-install-recommends). Everything it makes is
# below one folder, /var/tmp/swapcast-image or what WORK names.
#
#   scripts/prove-image.sh         build what is missing, then prove
#   scripts/prove-image.sh clean   remove all that it made
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=${WORK:-/var/tmp/swapcast-image}
image=localhost/swapcast:proof
name=swapcast-proof
port=${PORT:-18180}
go_image=docker.io/library/golang:1.26
run_image=gcr.io/distroless/static-debian12:nonroot

if ((EUID != 0)); then
	echo "prove-image: needs root" >&2
	exit 1
fi
for tool in debootstrap buildah podman runc; do
	command -v "$tool" >/dev/null || {
		echo "prove-image: $tool is missing: apt-get install --no-install-recommends debootstrap buildah podman runc" >&2
		exit 1
	}
done

# A store of our own, so that nothing of the user's is touched.
mkdir -p "$work/run"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
store=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
bd() { buildah "${store[@]}" "$@" </dev/null; }
# Without systemd podman cannot schedule health checks, and says so each time;
# this script asks for them itself.
pd() {
	podman "${store[@]}" --runtime "$(command -v runc)" --cgroup-manager cgroupfs "$@" </dev/null \
		2> >(grep -v 'systemd connection' >&2 || true)
}

cleanup() { pd rm -f -t 2 "$name" >/dev/null 2>&1 || true; }

if [[ "${1:-}" == clean ]]; then
	cleanup
	rm -rf "$work"
	exit
fi
trap cleanup EXIT

have_image() { bd inspect --type image "$1" >/dev/null 2>&1; }

if ! have_image "$go_image"; then
	echo "prove-image: making a stand-in for $go_image"
	if [[ ! -x "$work/rootfs/usr/bin/env" ]]; then
		debootstrap --variant=minbase bookworm "$work/rootfs" >"$work/debootstrap.log"
	fi
	# The authorities of this machine, to download Go modules by.
	install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$work/rootfs/etc/ssl/certs/ca-certificates.crt"
	c=$(bd from scratch)
	bd add -q "$c" "$work/rootfs" / >/dev/null
	bd add -q "$c" "$(go env GOROOT)" /usr/local/go >/dev/null
	bd config --env PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env GOTOOLCHAIN=local "$c"
	bd commit -q --rm "$c" "$go_image" >/dev/null
fi

if ! have_image "$run_image"; then
	echo "prove-image: making a stand-in for $run_image"
	root="$work/static"
	mkdir -p "$root/etc/ssl/certs" "$root/home/nonroot" "$root/tmp"
	chmod 1777 "$root/tmp"
	echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
	echo 'nonroot:x:65532:' >"$root/etc/group"
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	c=$(bd from scratch)
	bd add -q "$c" "$root" / >/dev/null
	bd config --user 65532:65532 "$c"
	bd commit -q --rm "$c" "$run_image" >/dev/null
fi

echo "prove-image: building"
start=$SECONDS
# The docker format keeps HEALTHCHECK; the OCI format drops it.
bd bud -q --format docker --pull-never \
	--build-arg VERSION=proof --build-arg COMMIT="$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)" \
	-t "$image" . >"$work/image-id"
echo "prove-image: built in $((SECONDS - start)) s, $(pd image inspect --format '{{.Size}}' "$image") bytes, user $(pd image inspect --format '{{.User}}' "$image")"

cleanup
# Read only, no capabilities, no way to more rights: what it needs is nothing.
pd run -d --name "$name" --network host --read-only --cap-drop ALL --security-opt no-new-privileges \
	--ulimit nofile=4096:4096 --ulimit nproc=4096:4096 \
	--env "SWAPCAST_LISTEN=127.0.0.1:$port" --env "SWAPCAST_ADMIN_LISTEN=127.0.0.1:$((port + 1))" --env "SWAPCAST_URL=http://127.0.0.1:$port/healthz" \
	"$image" >/dev/null

for _ in $(seq 100); do
	if pd exec "$name" /usr/local/bin/swapcast healthcheck --url "http://127.0.0.1:$port/readyz" >/dev/null 2>&1; then
		ready=yes
		break
	fi
	sleep 0.2
done
if [[ "${ready:-}" != yes ]]; then
	pd logs "$name" >&2
	echo "prove-image: not ready after 20 s" >&2
	exit 1
fi
echo "prove-image: version: $(pd exec "$name" /usr/local/bin/swapcast version)"
pd healthcheck run "$name"
echo "prove-image: the image's own HEALTHCHECK passes"
status=$(curl -fsS "http://127.0.0.1:$port/v1/status")
[[ "$status" == *'"feed":"simulated"'* ]] || {
	echo "prove-image: unexpected status: $status" >&2
	exit 1
}
echo "prove-image: /v1/status: $status"
pd stop -t 15 "$name" >/dev/null
code=$(pd inspect --format '{{.State.ExitCode}}' "$name")
echo "prove-image: SIGTERM ends it with exit code $code"
[[ "$code" == 0 ]]
