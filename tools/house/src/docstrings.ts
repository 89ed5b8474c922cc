import ts from 'typescript';

/** A name under which something is reached from a module. */
interface Told {
  /** As `sun4c`, or `pte.makePte` in a namespace. */
  readonly name: string;
  readonly symbol: ts.Symbol;
}

/**
 * The names that modules let others import that have no docstring. One that stands over constants and types without a
 * blank line between is about all of them.
 *
 * @param program has the modules among its files.
 * @param modules their paths.
 * @returns each as `<module> <name>`, in the order of the modules
 * @throws Error if a path is not a module of the program
 */
export function undocumented(program: ts.Program, modules: readonly string[]): string[] {
  const checker = program.getTypeChecker();
  return modules.flatMap((path) => {
    const file = program.getSourceFile(path);
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${path} is no module of the program`);
    return exportsOf(checker, module, '')
      .filter(({ symbol }) => !hasDocstring(checker, symbol))
      .map(({ name }) => `${path} ${name}`);
  });
}

/** What a module exports, or a namespace: that one is told of by the first lines of its module. */
function exportsOf(checker: ts.TypeChecker, module: ts.Symbol, prefix: string): Told[] {
  return checker.getExportsOfModule(module).flatMap((exported): Told[] => {
    const name = prefix + exported.name;
    const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = alias ? checker.getAliasedSymbol(exported) : exported;
    return (symbol.flags & ts.SymbolFlags.ValueModule) !== 0
      ? exportsOf(checker, symbol, `${name}.`)
      : [{ name, symbol }];
  });
}

function hasDocstring(checker: ts.TypeChecker, symbol: ts.Symbol): boolean {
  return (
    ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() !== '' ||
    (symbol.declarations ?? []).some((declaration) => isInGroup(declaration))
  );
}

/** Whether a constant or a type stands in a group of them whose first has a docstring. */
function isInGroup(declaration: ts.Declaration): boolean {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  if (!isGrouped(statement)) return false;
  const file = statement.getSourceFile();
  const above = (at: ts.Statement): ts.Statement | undefined =>
    file.statements[file.statements.indexOf(at) - 1];
  let first: ts.Statement = statement;
  for (let next = above(first); next !== undefined; next = above(first)) {
    const between = file.text.slice(next.end, first.getStart(file));
    if (!isGrouped(next) || /\n\s*\n/.test(between)) break;
    first = next;
  }
  return (
    first !== statement &&
    ts.getJSDocCommentsAndTags(first).some((node) => ts.isJSDoc(node) && node.comment !== undefined)
  );
}

function isGrouped(node: ts.Node): node is ts.VariableStatement | ts.TypeAliasDeclaration {
  return ts.isVariableStatement(node) || ts.isTypeAliasDeclaration(node);
}
