import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "../gen/grpc/reflection/v1/reflection_pb.ts";

/** Answers `grpc.reflection.v1.ServerReflection`, so that clients such as `buf curl` and `grpcurl` need no copy of the contract. */
export function routeReflection(router: ConnectRouter, files: readonly DescFile[]): void {
  const all = withImports(files);
  const byName = new Map(all.map((file) => [`${file.name}.proto`, file]));
  const bySymbol = new Map(all.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));
  const services = files.flatMap((file) => file.services.map(({ typeName }) => ({ name: typeName })));

  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests) {
        yield {
          validHost: originalRequest.host,
          originalRequest,
          messageResponse: answer(originalRequest.messageRequest),
        };
      }
    },
  });

  function answer(request: ServerReflectionRequest["messageRequest"]) {
    switch (request.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: services } } as const;
      case "fileByFilename":
        return descriptors(byName.get(request.value));
      case "fileContainingSymbol":
        return descriptors(bySymbol.get(request.value));
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
      case undefined:
        return failure(Code.Unimplemented, "only files and symbols can be asked for");
    }
  }

  /** The file and all that it imports, so that one question is enough. */
  function descriptors(file: DescFile | undefined) {
    if (file === undefined) return failure(Code.NotFound, "not found");
    const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } } as const;
  }
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as const;
}

function withImports(files: readonly DescFile[]): DescFile[] {
  const seen = new Set<DescFile>();
  const visit = (file: DescFile) => {
    if (seen.has(file)) return;
    seen.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...seen];
}

function symbolsOf(file: DescFile): string[] {
  const methods = file.services.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}.${name}`));
  const messages = file.messages.flatMap(function names(message): string[] {
    return [
      message.typeName,
      ...message.nestedMessages.flatMap(names),
      ...message.nestedEnums.map(({ typeName }) => typeName),
    ];
  });
  const others = [...file.services, ...file.enums, ...file.extensions].map(({ typeName }) => typeName);
  return [...methods, ...messages, ...others];
}
