# Two stages: what builds stays behind. The image runs as an ordinary user and writes nothing but its logs.
FROM node:24-slim AS build
WORKDIR /clavis
COPY package.json package-lock.json .npmrc ./
COPY sdk/package.json sdk/
# Without scripts, since what they work on is not here yet; so this layer lasts as long as the lock file.
RUN npm ci --ignore-scripts
COPY . .
# Optional packages are the embedded Postgres and Node itself: the image has the one, and is told where the other is.
RUN npm run generate && npm prune --ignore-scripts --omit=dev --omit=optional

FROM node:24-slim
ENV NODE_ENV=production \
    CLAVIS_LISTEN=0.0.0.0:8420 \
    CLAVIS_METRICS_LISTEN=0.0.0.0:8421
WORKDIR /clavis
COPY --from=build /clavis/package.json /clavis/LICENSE ./
COPY --from=build /clavis/node_modules node_modules
COPY --from=build /clavis/sdk sdk
COPY --from=build /clavis/src src
USER node
EXPOSE 8420 8421
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CLAVIS_METRICS_LISTEN.split(':').at(-1)}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
