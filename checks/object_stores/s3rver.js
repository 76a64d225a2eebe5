// Run s3rver (3.7.1) with the account of the tests, until the standard input is closed: it ends with
// the process that has started it, however that ends.
//
// Arguments: folder of node_modules, folder of the data, name of the bucket, key, secret.
const [modules, directory, bucket, key, secret] = process.argv.slice(2);
const S3rver = require(`${modules}/s3rver`);
const FilesystemStore = require(`${modules}/s3rver/lib/stores/filesystem`);
const { DUMMY_ACCOUNT } = require(`${modules}/s3rver/lib/models/account`);

DUMMY_ACCOUNT.createKeyPair(key, secret);

// It lists no common prefix below which all objects have more than one further name: for the prefix
// "a/" and the object "a/b/c/d" it says that there is nothing. S3 lists "a/b/".
const listAll = FilesystemStore.prototype.listObjects;
FilesystemStore.prototype.listObjects = async function (name, options) {
  const { delimiter = '', startAfter = '', prefix = '', maxKeys = Infinity } = options;
  const { objects } = await listAll.call(this, name, { prefix });
  const commonPrefixes = new Set();
  const found = [];
  for (const object of objects.filter(each => each.key > startAfter)) {
    const end = delimiter ? object.key.indexOf(delimiter, prefix.length) : -1;
    if (end < 0) {
      found.push(object);
    } else {
      commonPrefixes.add(object.key.slice(0, end + delimiter.length));
    }
  }
  return {
    objects: found.slice(0, maxKeys),
    commonPrefixes: [...commonPrefixes].sort(),
    isTruncated: found.length > maxKeys,
  };
};

// It takes the range "0-0" for "0-".
const getObject = FilesystemStore.prototype.getObject;
FilesystemStore.prototype.getObject = function (name, object, options) {
  const first = options && options.start === 0 && options.end === 0;
  // A number that is true, and that Math.min and streams of files take for zero.
  const end = first ? new Number(0) : options && options.end;
  return getObject.call(this, name, object, { ...options, ...(end !== undefined && { end }) });
};

const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory,
  configureBuckets: [{ name: bucket }],
});

// It truncates an object before it writes it: nobody may read it meanwhile.
const last = new Map();
server.middleware.unshift(async (ctx, next) => {
  const before = last.get(ctx.path);
  last.set(ctx.path, new Promise(resolve => ctx.res.once('close', resolve)));
  await before;
  await next();
});

// It ignores "If-None-Match: *", with which S3 creates an object only if there is none.
server.middleware.unshift(async (ctx, next) => {
  const [, name, ...path] = decodeURIComponent(ctx.path).split('/');
  const once = ctx.method === 'PUT' && ctx.get('If-None-Match') === '*';
  if (once && (await server.store.existsObject(name, path.join('/')))) {
    ctx.status = 412;
    ctx.type = 'application/xml';
    ctx.body = '<Error><Code>PreconditionFailed</Code></Error>';
  } else {
    await next();
  }
});

server.run().then(({ port }) => console.log(port));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
