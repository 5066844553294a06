# The service. Weights are no part of the image: they are mounted at /weights.
FROM debian:12-slim AS build
WORKDIR /pts
# Packages before sources, so that an edit of ours does not install them anew.
COPY tools/packages tools/common.sh tools/install-packages tools/
RUN tools/install-packages build
COPY . .
RUN tools/install -Dmpi=disabled

# Gets pretrained weights and converts them: docker compose run --rm weights
FROM build AS weights
RUN tools/install-packages weights
ENTRYPOINT ["tools/fetch-weights", "--into", "/weights"]

FROM debian:12-slim
COPY tools/packages tools/common.sh tools/install-packages tools/healthcheck /opt/pts/tools/
RUN /opt/pts/tools/install-packages run && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/ptsinfer /usr/local/bin/
ENV PTS_WEIGHTS=/weights
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/pts/tools/healthcheck"]
ENTRYPOINT ["ptsinfer"]
# Refuses to start without --token-file or --insecure, as anywhere else: docker-compose.yml says why
# it takes the latter.
CMD ["serve", "--bind", "0.0.0.0"]
