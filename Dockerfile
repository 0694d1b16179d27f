# syntax=docker/dockerfile:1
# docker build --build-arg REVISION=$(git rev-parse HEAD) --tag sluice:0.1.0 .

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
# Without pip of its own: nothing can be installed into the finished image.
RUN python -m venv --without-pip /opt/sluice
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY connectors connectors
COPY streams streams
RUN pip --python /opt/sluice/bin/python install --no-cache-dir --only-binary :all: --no-binary sluice .

FROM python:3.11-slim-bookworm
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="The pipeline between commerce APIs: ordered, conflict-free, inside every quota." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluice
COPY --from=build /opt/sluice /opt/sluice
# The root file system is read-only where this runs: what a library wants to keep goes to /tmp.
ENV PATH=/opt/sluice/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluice"]
CMD ["--help"]
