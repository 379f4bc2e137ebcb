// What is published about the configuration says what the program does: the JSON Schema, the table of options and the examples
// in docs/configuration.md, and claviger.example.yaml. With CLAVIGER_UPDATE=1 the generated parts are written anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Json } from '../model/json.ts';
import { declarationJsonSchema, readDeclaration } from './declarations.ts';
import { type Place, readDocument } from './document.ts';
import { configJsonSchema, listOptions, type Option } from './options.ts';
import { type ConfigReading, readConfig } from './read.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SCHEMA_FILE = path.join(ROOT, 'docs/claviger.schema.json');
const PROVIDER_SCHEMA_FILE = path.join(ROOT, 'docs/provider.schema.json');
const PROVIDER_PAGE_FILE = path.join(ROOT, 'docs/providers/declared.md');
const PAGE_FILE = path.join(ROOT, 'docs/configuration.md');
const EXAMPLE_FILE = path.join(ROOT, 'claviger.example.yaml');
const isUpdate = process.env['CLAVIGER_UPDATE'] === '1';
const HOW = 'run CLAVIGER_UPDATE=1 node --test src/config/documents.test.ts';

const schema = configJsonSchema();
const options = listOptions(schema);
const isValid = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

function read(text: string): ConfigReading {
  return readConfig({ text, environment: {}, absolute: (name) => path.resolve('/srv', name) });
}

function assertAccepted(text: string, what: string): void {
  const reading = read(text);
  assert.equal(reading.is, 'read', `${what}: ${JSON.stringify(reading.is === 'refused' ? reading.problems : null)}`);
  const document = readDocument(text);
  assert.ok(document.is === 'read');
  const value = JSON.parse(JSON.stringify(document.value)) as Json;
  assert.ok(isValid(value), `${what}: ${JSON.stringify(isValid.errors)}`);
}

/** The pointers of a text, with the names that operators choose as `*`, and each entry of a list as `-`. */
function pointersOf(text: string): string[] {
  const document = readDocument(text);
  assert.ok(document.is === 'read');
  const places: ReadonlyMap<string, Place> = document.places;
  return [...places.keys()].map((pointer) =>
    pointer.replace(/^\/providers\/[^/]+/, '/providers/*').replace(/^\/programs\/[0-9]+/, '/programs/-'),
  );
}

/** The example file with one alternative in the place of the line that it is an alternative to. */
function alternatives(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const match = /^( *)# {3}([A-Za-z]+): /.exec(line);
    if (match === null) return [];
    const target = lines.findIndex((below, at) => at > index && below.startsWith(`${match[1]}${match[2]}:`));
    assert.ok(target > 0 && target - index <= 3, `line ${index + 1} is an alternative to nothing`);
    return [lines.with(target, line.replace('#   ', '')).join('\n')];
  });
}

/** As it is written in YAML: text without quotes, a mapping with spaces. */
function describeDefault({ default: value }: Option): string {
  if (value === undefined) return 'required';
  if (value === null) return 'none';
  const isMapping = typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isMapping) return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
  return `\`{ ${Object.entries(value).map(([key, inner]) => `${key}: ${inner}`)} }\``;
}

function renderTable(): string {
  const rows = options.map((option) => {
    const name = option.pointer.slice(1).replaceAll('/-', '[]').replaceAll('/', '.').replaceAll('*', '⟨name⟩');
    return `| \`${name}\` | ${option.form} | ${describeDefault(option)} | ${option.about} |`;
  });
  return ['| Option | Form | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}

test('the published JSON Schema is the one that follows from the code', () => {
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (isUpdate) writeFileSync(SCHEMA_FILE, text);
  assert.equal(readFileSync(SCHEMA_FILE, 'utf8'), text, HOW);
});

test('every option has a form, a meaning, and a default or a section that asks for it', () => {
  assert.ok(options.length > 30);
  for (const option of options) {
    assert.ok(option.about.endsWith('.'), option.pointer);
    assert.ok(option.form.length > 0, option.pointer);
  }
});

test('the example file is valid, and every value in it is the default', () => {
  const text = readFileSync(EXAMPLE_FILE, 'utf8');
  assertAccepted(text, 'the example');
  const [example, empty] = [read(text), read('')];
  assert.ok(example.is === 'read' && empty.is === 'read');
  assert.deepEqual(example.config, empty.config);
  for (const { pointer, source } of example.sources) assert.equal(source.from, 'file', pointer);
});

test('the example file mentions every option, and its alternatives are valid', () => {
  const text = readFileSync(EXAMPLE_FILE, 'utf8');
  const others = alternatives(text);
  for (const other of others) assertAccepted(other, other);
  const mentioned = new Set([text, ...others].flatMap(pointersOf));
  for (const { pointer } of options) assert.ok(mentioned.has(pointer), `${pointer} is not mentioned`);
});

test('the table of options in the documentation is the one that follows from the code', () => {
  const text = readFileSync(PAGE_FILE, 'utf8');
  const parts = text.split(/(?<=<!-- options -->\n)[\s\S]*(?=<!-- end of options -->)/);
  assert.equal(parts.length, 2, 'the page has its two marks');
  const whole = parts.join(`\n${renderTable()}\n\n`);
  if (isUpdate) writeFileSync(PAGE_FILE, whole);
  assert.equal(readFileSync(PAGE_FILE, 'utf8'), whole, HOW);
});

test('the examples in the documentation are valid', () => {
  const examples = [...readFileSync(PAGE_FILE, 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(
    (match) => match[1]!,
  );
  assert.ok(examples.length >= 3);
  for (const example of examples) assertAccepted(example, example);
});

test('the published JSON Schema of a declaration is the one that follows from the code', () => {
  const text = `${JSON.stringify(declarationJsonSchema(), null, 2)}\n`;
  if (isUpdate) writeFileSync(PROVIDER_SCHEMA_FILE, text);
  assert.equal(readFileSync(PROVIDER_SCHEMA_FILE, 'utf8'), text, HOW);
});

test('the worked example of a provider of your own is a declaration, by the code and by the published schema', () => {
  const page = readFileSync(PROVIDER_PAGE_FILE, 'utf8');
  const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  const declarations = examples.filter((example) => example.includes('\nkinds:'));
  assert.equal(declarations.length, 1);
  const isDeclaration = new Ajv2020({ strict: false, formats: { uri: true, starts_with: true } }).compile(
    declarationJsonSchema(),
  );
  for (const example of declarations) {
    const reading = readDeclaration(example);
    assert.ok(reading.is === 'read', JSON.stringify(reading));
    assert.ok(reading.provider.kinds.some((kind) => kind.rotation === 'overlap' && kind.issuers.length > 0));
    const document = readDocument(example);
    assert.ok(document.is === 'read');
    const value = JSON.parse(JSON.stringify(document.value)) as Json;
    assert.ok(isDeclaration(value), JSON.stringify(isDeclaration.errors));
  }
});
