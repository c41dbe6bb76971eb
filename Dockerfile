# A static binary in an image with nothing else in it, run by an unprivileged
# user. Build it with `docker build -t swapcast .`; see CONTRIBUTING.md for how
# the image is proved without a registry.

FROM docker.io/library/golang:1.26 AS build
WORKDIR /src

# The modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" \
    -o /out/swapcast ./cmd/swapcast

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="swapcast" \
      org.opencontainers.image.description="Real-time market data for Solana over WebSocket" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/swapcast /usr/local/bin/swapcast
COPY LICENSE NOTICE /usr/share/doc/swapcast/

# Clients on 8080. The admin listener stays on the container's own loopback.
ENV SWAPCAST_LISTEN=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532

# Alive, not ready: a stale upstream is no reason to restart the process.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/swapcast", "healthcheck"]

ENTRYPOINT ["/usr/local/bin/swapcast"]
CMD ["serve"]
